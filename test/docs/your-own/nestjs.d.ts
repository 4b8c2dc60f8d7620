/** As much of NestJS, which is not installed here, as the README's example uses. It follows the declarations of @nestjs/core 11. */
declare module '@nestjs/core' {
  export class NestFactoryStatic {
    create(module: unknown): Promise<{
      use(...handlers: unknown[]): unknown;
      listen(port: number | string): Promise<unknown>;
    }>;
  }
  export const NestFactory: NestFactoryStatic;
}
